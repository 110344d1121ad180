// Since when the button can be seen, and whether anything lies over it: what a click on it is worth.
import { CALM_MS } from './purchase.js';

/**
 * @param {HTMLElement} button
 * @returns {{calm: (event: Event) => boolean, sure: (event: Event) => boolean}} `calm`: it was in view for a while;
 *   `sure`: and, where the browser can tell, nothing covered it and it was neither faded nor distorted
 */
export function watchButton(button) {
  let visible = Infinity;
  let clear = Infinity;
  new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, isVisible = isIntersecting, time } of seen) {
        visible = isIntersecting ? Math.min(visible, time) : Infinity;
        clear = isVisible ? Math.min(clear, time) : Infinity;
      }
    },
    // The last two are of the second version, which computes visibility; others pass them by.
    { threshold: 0.6, trackVisibility: true, delay: 100 },
  ).observe(button);
  return {
    calm: ({ timeStamp }) => timeStamp - visible >= CALM_MS,
    sure: ({ timeStamp }) => timeStamp - clear >= CALM_MS,
  };
}

/** Runs once, when half of it is first seen. @param {HTMLElement} box @param {() => void} then */
export function whenSeen(box, then) {
  const observer = new IntersectionObserver(
    (seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      then();
    },
    { threshold: 0.5 },
  );
  observer.observe(box);
}
