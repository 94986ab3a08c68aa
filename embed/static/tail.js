// The audit log goes on by itself while it is looked at: new rows are asked for every two seconds,
// for half an hour at most, since each question counts as a use of the session.
"use strict";

const tail = document.getElementById("tail");
const rows = document.querySelector("#events tbody");
if (tail && rows) {
  const [reload, button, says] = tail.children;
  const until = Date.now() + 30 * 60 * 1000;
  const most = 500;
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  let next = tail.dataset.tail;
  let on = true;

  const show = () => {
    button.firstChild ? (button.firstChild.data = on ? tail.dataset.pause : tail.dataset.go) : button.append(tail.dataset.pause);
    says.textContent = on ? tail.dataset.live : tail.dataset.paused;
  };

  const ask = async () => {
    const answer = await fetch(next, { redirect: "error" });
    if (!answer.ok) throw new Error(answer.status);
    const box = document.createElement("template");
    box.innerHTML = "<table><tbody>" + (await answer.text()) + "</tbody></table>";
    next = answer.headers.get("X-Next") ?? next;
    const fresh = [...box.content.querySelectorAll("tr[data-event]")];
    for (const row of fresh) row.classList.add("fresh");
    for (const time of box.content.querySelectorAll("time")) time.textContent = clock.format(new Date(time.dateTime));
    rows.prepend(...fresh);
    setTimeout(() => fresh.forEach((row) => row.classList.remove("fresh")), 4000);
    while (rows.rows.length > most) rows.lastElementChild.remove();
  };

  const tick = async () => {
    if (on && !document.hidden) {
      if (Date.now() > until) on = false;
      try {
        if (on) await ask();
      } catch {
        on = false;
      }
      if (!on) show();
    }
    setTimeout(tick, 2000);
  };

  button.addEventListener("click", () => {
    on = !on;
    show();
  });
  reload.hidden = true;
  button.hidden = false;
  show();
  setTimeout(tick, 2000);
}
