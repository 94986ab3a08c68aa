// What the pages do better with a script than without one. Each part stands alone, and every page
// works when none of this runs.
"use strict";

// A password can be looked at while it is typed, and is hidden again before it is sent.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  if (!input) continue;
  const name = button.getAttribute("aria-label").replace(/^Show /, "");
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? "Hide" : "Show";
    button.setAttribute("aria-label", (visible ? "Hide " : "Show ") + name);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  input.form.addEventListener("submit", () => show(false));
}

// A form is sent once. The mark goes away when the reader comes back to the page, and after a
// while, because an answer may open another program and leave this page where it was.
const patience = 8000;
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      return;
    }
    form.setAttribute("aria-busy", "true");
    setTimeout(() => form.removeAttribute("aria-busy"), patience);
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) form.removeAttribute("aria-busy");
});

// Times are written in UTC by the server and shown in the reader's own zone and manner.
const manners = {
  moment: { dateStyle: "medium", timeStyle: "short" },
  day: { dateStyle: "medium" },
};
for (const time of document.querySelectorAll("time[data-show]")) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(undefined, manners[time.dataset.show]).format(at);
}
