// Small comforts; every page works without them.
"use strict";

// Times in the reader's own zone, on hover and to whoever listens to the page.
for (const time of document.querySelectorAll("time[datetime]")) {
  const local = new Date(time.dateTime).toLocaleString();
  time.title = time.title ? `${time.title} (${local} here)` : `${local} here`;
}
