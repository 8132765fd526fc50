// Runs before the page is drawn, so that a remembered theme does not flash.
"use strict";
(() => {
  const root = document.documentElement;
  const order = ["system", "light", "dark"];
  let theme = "system";
  try {
    theme = localStorage.getItem("zeus-bso-theme") ?? theme;
  } catch {
    // Without storage each page starts with the theme of the system.
  }
  if (!order.includes(theme)) theme = "system";

  const show = () => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    const name = document.querySelector("#theme b");
    if (name) name.textContent = theme;
  };
  root.classList.add("scripted");
  show();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      try {
        localStorage.setItem("zeus-bso-theme", theme);
      } catch {
        // As above.
      }
      show();
      document.dispatchEvent(new Event("zeus:theme"));
    });
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new Event("zeus:theme"));
  });
})();
