/* The desk of one case: every step of the job by keyboard, a claim that holds while somebody works, and nothing typed is lost. */
"use strict";

(() => {
  const desk = document.getElementById("desk");
  if (!desk) return;
  const form = document.getElementById("desk-form");
  const reason = form && form.querySelector("[name=reason]");
  const note = document.getElementById("desk-note");
  const help = document.getElementById("desk-help");
  const banner = document.getElementById("desk-lost");
  const words = JSON.parse(document.getElementById("desk-words").textContent);
  const BEAT_MS = 20_000;
  const IDLE_MS = 10 * 60_000;

  // --- what is typed stays -------------------------------------------------------------------------------------------
  const store = {
    key: `desk:${desk.dataset.case}`,
    read() {
      try { return JSON.parse(sessionStorage.getItem(this.key) || "{}"); } catch { return {}; }
    },
    write() {
      const chosen = form && form.querySelector("[name=choice]:checked");
      const kept = { choice: chosen ? chosen.value : "", reason: reason ? reason.value : "", note: note ? note.value : "" };
      try { sessionStorage.setItem(this.key, JSON.stringify(kept)); } catch { /* Without storage the page is all there is. */ }
    },
    forget(key) {
      try { sessionStorage.removeItem(key); } catch { /* as above */ }
    },
    sent() {
      try { return sessionStorage.getItem("desk:sent"); } catch { return null; }
    },
    send() {
      try { sessionStorage.setItem("desk:sent", this.key); } catch { /* as above */ }
    },
  };

  function restore() {
    // The case before this one is decided: its words are in the ledger now.
    const sent = store.sent();
    if (sent && sent !== store.key) store.forget(sent);
    store.forget("desk:sent");
    const kept = store.read();
    if (reason && !reason.value && kept.reason) reason.value = kept.reason;
    if (form && kept.choice && !form.querySelector("[name=choice]:checked")) {
      const radio = form.querySelector(`[name=choice][value="${kept.choice}"]`);
      if (radio) radio.checked = true;
    }
    if (note && !desk.dataset.noted && kept.note) note.value = kept.note;
  }

  // --- the decision --------------------------------------------------------------------------------------------------
  function chosen() {
    const radio = form && form.querySelector("[name=choice]:checked");
    return radio ? radio.value : "";
  }

  function fit() {
    if (!form) return;
    const now = chosen();
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(now);
    }
  }

  function choose(radio) {
    radio.checked = true;
    fit();
    store.write();
    const code = form.querySelector("[name=code]");
    (code && !code.closest("[data-for]").hidden && !code.value ? code : reason).focus();
  }

  function unchoose() {
    for (const radio of form.querySelectorAll("[name=choice]")) radio.checked = false;
    fit();
    store.write();
    document.activeElement.blur();
  }

  function snippet(number) {
    const list = form && form.querySelector(`.desk-snippets[data-for~="${chosen()}"]`);
    const button = list && list.querySelectorAll("button")[number - 1];
    if (!button) return false;
    button.click();
    return true;
  }

  function send() {
    if (!chosen() || form.dataset.sent) return;
    if (!reason.value.trim()) {
      reason.setAttribute("aria-invalid", "true");
      complain(words.reason);
      reason.focus();
      return;
    }
    form.requestSubmit();
  }

  function complain(text) {
    const place = document.getElementById("desk-complaint");
    place.textContent = text;
    place.hidden = !text;
  }

  if (form) {
    form.addEventListener("change", (event) => { if (event.target.name === "choice") choose(event.target); else store.write(); });
    form.addEventListener("input", () => { store.write(); complain(""); reason.removeAttribute("aria-invalid"); });
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      store.write();
      store.send();
    });
    for (const button of form.querySelectorAll(".desk-snippets button")) {
      button.addEventListener("click", () => {
        reason.value = reason.value.trim() ? `${reason.value.trim()} ${button.dataset.text}` : button.dataset.text;
        reason.focus();
        reason.setSelectionRange(reason.value.length, reason.value.length);
        store.write();
        complain("");
      });
    }
  }
  if (note) note.addEventListener("input", () => store.write());
  window.addEventListener("pageshow", () => { if (form) delete form.dataset.sent; });

  // --- keys ----------------------------------------------------------------------------------------------------------
  function press(id) {
    const target = document.getElementById(id);
    if (target) target.click();
    return Boolean(target);
  }

  const keys = {
    n: () => press("desk-next"),
    j: () => press("desk-next"),
    e: () => {
      const evidence = document.getElementById("desk-evidence");
      if (!evidence) return false;
      evidence.focus({ preventScroll: true });
      evidence.scrollIntoView({ block: "start" });
      return true;
    },
    m: () => {
      if (!note) return false;
      note.focus();
      note.scrollIntoView({ block: "center" });
      return true;
    },
    "?": () => { help.showModal(); return true; },
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || help.open) return;
    const place = document.activeElement;
    const writing = place && (place.isContentEditable || ["TEXTAREA", "SELECT"].includes(place.tagName) || (place.tagName === "INPUT" && place.type !== "radio"));
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (note && place === note) { event.preventDefault(); note.form.requestSubmit(); }
      else if (form && (!writing || form.contains(place))) { event.preventDefault(); send(); }
      return;
    }
    if (event.key === "Escape") {
      if (writing && (place === note || (form && form.contains(place)))) {
        event.preventDefault();
        if (form && form.contains(place)) unchoose(); else place.blur();
      } else if (!writing && form && chosen()) { event.preventDefault(); unchoose(); }
      else if (!writing && !document.querySelector("#modal-content")?.checkVisibility?.()) { press("desk-leave"); }
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    if (/^Digit[1-9]$/.test(event.code) && (event.altKey || (place === reason && !reason.value) || (!writing && chosen()))) {
      if (snippet(Number(event.code.slice(5)))) event.preventDefault();
      return;
    }
    if (event.altKey || writing) return;
    const key = event.key.toLowerCase();
    const radio = form && form.querySelector(`[data-choice-key="${CSS.escape(key)}"]`);
    if (radio) { event.preventDefault(); event.stopImmediatePropagation(); choose(radio); }
    else if (keys[key] && keys[key]()) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
  document.getElementById("desk-help-open")?.addEventListener("click", () => help.showModal());

  // --- the claim -----------------------------------------------------------------------------------------------------
  let touched = Date.now();
  for (const sort of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    document.addEventListener(sort, () => { touched = Date.now(); }, { passive: true });
  }

  function show(answer) {
    const clock = document.getElementById("desk-clock");
    if (clock && answer.clock) { clock.firstElementChild.textContent = answer.clock.text; clock.firstElementChild.className = answer.clock.css; }
    const claim = document.getElementById("desk-claim");
    if (claim) claim.textContent = answer.claim;
    const looking = document.getElementById("desk-looking");
    if (looking.textContent !== answer.looking) looking.textContent = answer.looking;
    banner.hidden = !answer.lost;
    if (answer.lost) {
      const text = banner.querySelector("[data-text]");
      if (text.textContent !== answer.lost) text.textContent = answer.lost;
    }
    desk.dataset.state = answer.state;
  }

  async function beat() {
    if (document.hidden) return;
    if (Date.now() - touched > IDLE_MS) {
      const claim = document.getElementById("desk-claim");
      if (claim && desk.dataset.state === "mine") claim.textContent = words.idle;
      return;
    }
    try {
      const answer = await fetch(desk.dataset.beat, {
        method: "POST",
        headers: { "X-CSRFToken": desk.querySelector("[name=csrfmiddlewaretoken]").value, Accept: "application/json" },
      });
      if (answer.ok) show(await answer.json());
    } catch {
      /* The next beat tries again; the claim outlives several. */
    }
  }

  restore();
  fit();
  if (reason && chosen()) reason.focus();
  if (desk.dataset.beat) {
    beat();
    setInterval(beat, BEAT_MS);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { touched = Date.now(); beat(); } });
  }
  desk.dataset.ready = "1";
})();
