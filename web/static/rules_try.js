// Tries again by itself when somebody has stopped writing; without it the button does the same.
"use strict";

const form = document.getElementById("try");
let waiting = 0;
let asking = null;

async function tryAgain() {
  if (!form.elements.event.value && !form.elements.body.value) return;
  asking?.abort();
  asking = new AbortController();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), signal: asking.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const outcome = page.getElementById("outcome");
    if (answer.ok && outcome) document.getElementById("outcome").replaceWith(document.adoptNode(outcome));
  } catch (error) {
    if (error.name !== "AbortError") form.requestSubmit();
  }
}

form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(tryAgain, 900);
});
