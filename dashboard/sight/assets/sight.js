// Keeps the room of what is not drawn yet, and tells the server that it has come into sight.

/** How close to the edge of the window counts as in sight, pixels: what is scrolled to is there in time. */
const NEAR = "300px"
/** How long the server has to draw a part before the next one has its turn, milliseconds. */
const PATIENCE = 3000
/** How long a reader's own click or key goes first, milliseconds: joined with ours it would change nothing. */
const REST = 400

const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200))

// Streamlit joins what two parts say at once into one message, and draws only one of them anew: they take turns.
const waiting = []
let timer = 0

let touched = 0
for (const kind of ["pointerdown", "keydown"]) {
  window.addEventListener(kind, () => { touched = Date.now() }, true)
}

// Streamlit sends what a part says with the next timer, and a click that comes before it goes into the same message:
// it says it at once instead.
function apart(tell) {
  const later = window.setTimeout
  window.setTimeout = (work, delay, ...rest) => (delay ? later(work, delay, ...rest) : work(...rest))
  try {
    tell()
  } finally {
    window.setTimeout = later
  }
}

function next() {
  clearTimeout(timer)
  if (!waiting.length) return
  const rest = touched + REST - Date.now()
  if (rest > 0) {
    timer = setTimeout(next, rest)
    return
  }
  apart(waiting[0])
  timer = setTimeout(() => {
    waiting.push(waiting.shift())
    next()
  }, PATIENCE)
}

function enter(tell) {
  waiting.push(tell)
  if (waiting.length === 1) next()
}

function leave(tell) {
  const place = waiting.indexOf(tell)
  if (place >= 0) waiting.splice(place, 1)
  if (place === 0) next()
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const room = parentElement.querySelector(".room")
  room.style.setProperty("--height", `${data.height}px`)
  room.replaceChildren(...Array.from({ length: data.parts }, () => document.createElement("div")))
  const tell = () => setTriggerValue("seen", true)
  const watch = new IntersectionObserver((changes) => {
    if (!changes.some((change) => change.isIntersecting)) return
    watch.disconnect()
    enter(tell)
  }, { rootMargin: NEAR, scrollMargin: NEAR })
  // Not before the browser has drawn what the reader came for.
  idle(() => watch.observe(room), { timeout: 3000 })
  return () => {
    watch.disconnect()
    leave(tell)
  }
}
