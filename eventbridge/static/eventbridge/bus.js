/* What changes while somebody looks is asked for again, as HTML, and put in place. */
"use strict";

const QUIET = 10000; // milliseconds between two questions while the site does not answer

function address() {
    const url = new URL(location.href);
    url.searchParams.set("live", "1");
    return url;
}

function put(place, html) {
    if (place.dataset.was === html) {
        return;
    }
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    place.dataset.was = html;
    place.innerHTML = html;
    if (focused) {
        document.getElementById(focused)?.focus({preventScroll: true});
    }
}

function complain(place, text) {
    let note = document.querySelector(".eb-stale");
    if (!note && text) {
        note = document.createElement("p");
        note.className = "eb-stale";
        note.setAttribute("role", "status");
        place.after(note);
    }
    if (note) {
        note.textContent = text;
        note.hidden = !text;
    }
}

async function look(place) {
    let pause = Number(place.dataset.live);
    if (!document.hidden) {
        try {
            const answer = await fetch(address(), {credentials: "same-origin", redirect: "manual"});
            if (answer.type === "opaqueredirect" || answer.status === 403) {
                complain(place, "This page is not live any more: log in again.");
                return;
            }
            if (!answer.ok) {
                throw new Error(answer.status);
            }
            put(place, await answer.text());
            complain(place, "");
        } catch {
            complain(place, "This page is not live: the site does not answer. It is asked again.");
            pause = QUIET;
        }
    }
    setTimeout(look, pause, place);
}

/* The ways of the card that is pointed at, or has the focus. */
function show(event) {
    const card = event.target.closest?.("[data-flow]");
    for (const path of document.querySelectorAll(".eb-edges path")) {
        const chosen = card && [path.dataset.from, path.dataset.to].includes(card.dataset.flow);
        path.classList.toggle("eb-chosen", Boolean(chosen));
    }
}

addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll("[data-live]")) {
        setTimeout(look, Number(place.dataset.live), place);
    }
    document.querySelector(".eb-tabs [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});
    addEventListener("mouseover", show);
    addEventListener("focusin", show);
});
