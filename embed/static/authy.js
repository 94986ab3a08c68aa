// What the pages do better with a script than without one. Each part stands alone, and every page
// works when none of this runs.
"use strict";

// A password can be looked at while it is typed, and is hidden again before it is sent.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  if (!input) continue;
  const shown = [button.dataset.hide, button.dataset.hideLabel];
  const hidden = [button.textContent, button.getAttribute("aria-label")];
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    const [text, label] = visible ? shown : hidden;
    button.textContent = text;
    button.setAttribute("aria-label", label);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  input.form.addEventListener("submit", () => show(false));
}

// A code is sent as soon as it is whole, however it was typed or pasted.
for (const input of document.querySelectorAll("[data-digits]")) {
  input.addEventListener("input", () => {
    const code = input.value.replace(/[\s-]/g, "");
    if (code.length === Number(input.dataset.digits) && /^\d+$/.test(code)) input.form.requestSubmit();
  });
}

// The logo of an application that cannot be shown is its letter instead.
for (const logo of document.querySelectorAll("img[data-letter]")) {
  const fail = () => {
    const letter = document.createElement("span");
    letter.className = "letter large";
    letter.textContent = logo.dataset.letter;
    letter.setAttribute("aria-hidden", "true");
    logo.replaceWith(letter);
  };
  if (logo.complete) logo.decode().catch(fail);
  else logo.addEventListener("error", fail);
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
// Whoever comes by way of a provider stays signed in, too, if they say so beside the password.
for (const form of document.querySelectorAll("form[data-door]")) {
  form.addEventListener("submit", () => {
    const remember = document.getElementById("remember");
    if (remember && form.elements.remember) form.elements.remember.value = remember.checked ? "yes" : "";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) form.removeAttribute("aria-busy");
});

// A choice that needs no button is sent as it is made.
for (const choice of document.querySelectorAll("[data-send]")) {
  choice.form.querySelector("button").hidden = true;
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// Times are written in UTC by the server and shown in the reader's own zone and manner.
const manners = {
  moment: { dateStyle: "medium", timeStyle: "short" },
  day: { dateStyle: "medium" },
};
const lang = document.documentElement.lang;
const locale = navigator.languages.find((l) => l.split("-")[0] === lang) ?? lang;
for (const time of document.querySelectorAll("time[data-show]")) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(locale, manners[time.dataset.show]).format(at);
}

// Passkeys. Their forms are hidden where the browser has none to offer: they belong to a name,
// never to the number of a machine.
const named = !/^(\[|[\d.]+$)/.test(location.hostname);
const able = named && "parseRequestOptionsFromJSON" in (window.PublicKeyCredential ?? {});

const passkeyForm = (form) => {
  const note = form.querySelector("[role=alert]");
  const text = note.querySelector("p");
  const tell = (wrong) => {
    note.hidden = !wrong;
    text.textContent = wrong ?? "";
  };
  const send = (credential) => {
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    const remember = document.getElementById("remember");
    if (remember && form.elements.remember) form.elements.remember.value = remember.checked ? "yes" : "";
    form.requestSubmit();
  };
  const create = async () => {
    const options = JSON.parse(form.dataset.options);
    send(await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }));
  };
  let waiting = new AbortController();
  const get = async (mediation) => {
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    const fields = { flow: form.elements.flow.value, second: form.elements.second?.value ?? "" };
    const answer = await fetch("/passkey/begin", { method: "POST", body: new URLSearchParams(fields), signal });
    if (!answer.ok) throw new Error("refused");
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json());
    send(await navigator.credentials.get({ publicKey, mediation, signal }));
  };
  let clicked = false;
  form.querySelector("button").addEventListener("click", async () => {
    tell();
    clicked = true;
    try {
      await (form.dataset.passkey === "create" ? create() : get("optional"));
    } catch (error) {
      const kept = error.name === "InvalidStateError" && text.dataset.kept;
      tell(kept || text.dataset.text);
    }
    clicked = false;
  });
  return () => clicked || get("conditional").catch(() => {}); // who declines types a password
};

// While the page waits, the browser offers passkeys beside the address. A challenge lasts five
// minutes; one that has become old is replaced before.
const offer = async (ask) => {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  ask();
  setInterval(() => document.visibilityState === "visible" && ask(), 240000);
};

// What keeps a passkey that nobody has here is told to forget it
// (W3C Web Authentication Level 3, section 5.1.10). The page does not offer it by itself again.
const forget = (unknown) => PublicKeyCredential.signalUnknownCredential?.(JSON.parse(unknown))?.catch(() => {});

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !able;
  if (able) {
    const ask = passkeyForm(form);
    if (form.dataset.unknown) forget(form.dataset.unknown);
    else if (document.querySelector("[autocomplete~=webauthn]")) offer(ask);
  }
}
for (const text of document.querySelectorAll("[data-without-passkeys]")) text.hidden = able;

// The page that signs out of applications goes on when their frames have loaded, or after a while.
const onward = document.getElementById("onward");
if (onward) {
  const go = () => location.replace(onward.href);
  addEventListener("load", go);
  setTimeout(go, 3000);
}
