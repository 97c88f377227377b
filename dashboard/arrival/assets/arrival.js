// A page that a reader was led to begins at its top; by itself the browser stays where it was on the page before.

export default function () {
  document.querySelector("[data-testid='stMain']")?.scrollTo(0, 0)
}
