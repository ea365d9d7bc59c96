// Publish and subscribe within the process, by name of a topic.
const topics = new Map()

/** Hands the value to all who have subscribed to the topic. */
export function publish(name, value) {
  for (const subscriber of topics.get(name) ?? []) subscriber.push(value)
}

/** What is published from now on. */
export function subscribe(name) {
  const subscriber = new Subscriber(name)
  if (!topics.has(name)) topics.set(name, new Set())
  topics.get(name).add(subscriber)
  return subscriber
}

/** An async iterator that holds what nobody has asked for yet. */
class Subscriber {
  #name
  #values = []
  #asked = []

  constructor(name) {
    this.#name = name
  }

  push(value) {
    const resolve = this.#asked.shift()
    if (resolve) resolve({ value, done: false })
    else this.#values.push(value)
  }

  next() {
    if (this.#values.length > 0) return Promise.resolve({ value: this.#values.shift(), done: false })
    return new Promise((resolve) => this.#asked.push(resolve))
  }

  return() {
    const subscribers = topics.get(this.#name)
    subscribers?.delete(this)
    if (subscribers?.size === 0) topics.delete(this.#name)
    for (const resolve of this.#asked.splice(0)) resolve({ value: undefined, done: true })
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator]() {
    return this
  }
}
