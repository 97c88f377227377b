// Keeps the room of what is not drawn yet, and tells the server once that it comes into sight.

/** How close to the edge of the window counts as in sight, pixels: what is scrolled to is there in time. */
const NEAR = "300px"

const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200))

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const room = parentElement.querySelector(".room")
  room.style.setProperty("--height", `${data.height}px`)
  room.replaceChildren(...Array.from({ length: data.parts }, () => document.createElement("div")))
  const watch = new IntersectionObserver((changes) => {
    if (!changes.some((change) => change.isIntersecting)) return
    watch.disconnect()
    setTriggerValue("seen", true)
  }, { rootMargin: NEAR, scrollMargin: NEAR })
  // Not before the browser has drawn what the reader came for.
  idle(() => watch.observe(room), { timeout: 3000 })
  return () => watch.disconnect()
}
