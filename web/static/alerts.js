// New alerts come on top of the list by themselves: a stream says when, or else it is asked from time to time.
"use strict";

const MOST_ROWS = 300;
const ASK_EVERY = 10_000;
const STREAM_AGAIN_AFTER = 60_000;
const LISTEN_AFTER = 2_000; // whoever only passes by takes no place from those who stay

function live(table) {
  const body = table.tBodies[0];
  const said = document.getElementById("live");
  let newest = Number(table.dataset.newest);
  let count = 0;
  let stream = null;
  let timer = null;
  let isAsking = false;
  let askAgain = false;
  let missed = 0;
  let asked = new Date();

  function address(path) {
    const url = new URL(path, location.href);
    url.searchParams.set("after", newest);
    return url;
  }

  function show(news) {
    newest = news.up_to;
    const rows = document.createElement("tbody");
    rows.innerHTML = news.rows; // made by the server, which escapes what alerts say
    for (const row of [...rows.rows].reverse()) {
      document.getElementById(row.id)?.remove();
      row.classList.add("new");
      body.prepend(row);
    }
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
    count += news.count;
    if (count) said.textContent = `${count} new since you opened this page.${news.has_gap ? " More came than is shown: open the page again." : ""}`;
  }

  async function ask() {
    if (isAsking) {
      askAgain = true;
      return;
    }
    isAsking = true;
    try {
      const answer = await fetch(address(table.dataset.news), { redirect: "error" });
      if (answer.ok) {
        show(await answer.json());
        missed = 0;
      } else missed += 1;
    } catch {
      missed += 1; // the server is away, or the session is over
    } finally {
      isAsking = false;
    }
    if (missed === 1) asked = new Date();
    if (missed > 1) said.textContent = `Not up to date since ${asked.toLocaleTimeString()}: open the page again.`;
    if (askAgain) {
      askAgain = false;
      await ask();
    }
  }

  function stop() {
    stream?.close();
    stream = null;
    clearInterval(timer);
    timer = null;
  }

  function listen() {
    stop();
    stream = new EventSource(address(table.dataset.stream));
    stream.addEventListener("message", ask);
    stream.addEventListener("error", () => {
      if (stream?.readyState !== EventSource.CLOSED) return; // it ended, and the browser opens it again
      stop();
      timer = setInterval(ask, ASK_EVERY);
      setTimeout(() => document.visibilityState === "visible" && listen(), STREAM_AGAIN_AFTER);
    });
  }

  // Who does not look takes no place from those who do.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      ask();
      listen();
    } else {
      stop();
    }
  });
  addEventListener("pagehide", stop);
  setTimeout(() => document.visibilityState === "visible" && listen(), LISTEN_AFTER);
}

const table = document.querySelector("table[data-stream]");
if (table) live(table);
