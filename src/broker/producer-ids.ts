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
    while (this.#next === this.#end) {
      this.#refill ??= this.#takeBlock()
      await this.#refill
    }
    return this.#next++
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
