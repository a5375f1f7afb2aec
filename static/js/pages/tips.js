// One tip for the whole page: what an estimate or an icon means, on hover and on focus. Escape hides it.

/** Show `data-tip` of whatever is hovered or focused below `root`. */
export function startTips(root) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.id = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let owner = null;

  const show = (element) => {
    owner?.removeAttribute("aria-describedby");
    owner = element;
    if (!element) {
      tip.hidden = true;
      return;
    }
    tip.textContent = element.dataset.tip;
    element.setAttribute("aria-describedby", "tip");
    tip.hidden = false;
    const box = element.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left), innerWidth - own.width - 8);
    const below = box.bottom + 6;
    tip.style.left = `${left}px`;
    tip.style.top = `${below + own.height < innerHeight ? below : Math.max(8, box.top - own.height - 6)}px`;
  };
  const find = (event) => event.target.closest?.("[data-tip]") ?? null;
  root.addEventListener("mouseover", (event) => show(find(event)));
  root.addEventListener("focusin", (event) => show(find(event)));
  root.addEventListener("focusout", () => show(null));
  root.addEventListener("keydown", (event) => event.key === "Escape" && show(null));
  addEventListener("scroll", () => show(null), { capture: true, passive: true });
}
