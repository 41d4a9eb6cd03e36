import type { Controller } from '../controller/controller.ts'

/** Hands out producer ids from blocks that are this broker's alone, each id once in the life of the cluster. */
export class ProducerIds {
  readonly #controller: Pick<Controller, 'allocateProducerIds'>
  #next = 0
  #end = 0
  #refill: Promise<void> | undefined

  constructor(controller: Pick<Controller, 'allocateProducerIds'>) {
    this.#controller = controller
  }

  /** Rejects when the controller cannot give a new block. */
  async take(): Promise<number> {
    for (;;) {
      const producerId = this.next()
      if (producerId !== undefined) return producerId
      await this.refill()
    }
  }

  /** undefined where a block must be fetched first. */
  next(): number | undefined {
    return this.#next === this.#end ? undefined : this.#next++
  }

  /** Resolves when there are ids; rejects as `take`. */
  async refill(): Promise<void> {
    if (this.#next !== this.#end) return
    this.#refill ??= this.#takeBlock()
    await this.#refill
  }

  async #takeBlock(): Promise<void> {
    try {
      const block = await this.#controller.allocateProducerIds()
      this.#next = block.firstProducerId
      this.#end = block.firstProducerId + block.size
    } finally {
      this.#refill = undefined
    }
  }
}
