// What the console does better with a script than without one.
"use strict";

// A value is copied by one press where the browser lets pages do so.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const text = button.firstChild;
    const before = text.data;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      text.data = button.dataset.done;
      setTimeout(() => (text.data = before), 2000);
    });
  }
}

// The place in the navigation is in sight.
for (const place of document.querySelectorAll('.nav [aria-current="page"], .tabs [aria-current="page"]')) {
  place.scrollIntoView({ block: "nearest", inline: "center" });
}
