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

// Whatever keeps passkeys is told which are good here, and what their owner is called
// (W3C Web Authentication Level 3, section 5.1.10).
for (const element of document.querySelectorAll("[data-signal]")) {
  const { allAcceptedCredentialIds, name, displayName, ...whose } = JSON.parse(element.dataset.signal);
  const quietly = (told) => told?.catch(() => {}); // there may be nobody who listens
  const keeper = window.PublicKeyCredential;
  quietly(keeper?.signalCurrentUserDetails?.({ ...whose, name, displayName }));
  if (allAcceptedCredentialIds) {
    quietly(keeper?.signalAllAcceptedCredentials?.({ ...whose, allAcceptedCredentialIds }));
  }
}

// Time zones are offered where the browser knows them.
const zone = document.getElementById("field-zoneinfo");
if (zone && Intl.supportedValuesOf) {
  const list = document.createElement("datalist");
  list.id = "zones";
  for (const name of Intl.supportedValuesOf("timeZone")) list.append(new Option(name, name));
  zone.after(list);
  zone.setAttribute("list", list.id);
  zone.placeholder = new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
