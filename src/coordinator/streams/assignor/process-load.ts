import { inHashOrder } from '../../hash-order.ts'
import { Heap } from '../heap.ts'

/** A member under assignment. Tasks are numbers that the assignor has given them. */
export class Member {
  readonly id: string
  readonly process: Process
  taskCount = 0
  readonly active: number[] = []
  readonly standby: number[] = []

  constructor(id: string, process: Process) {
    this.id = id
    this.process = process
  }
}

/** What runs several members (threads) with one memory and disk. */
export class Process {
  readonly #members = new Map<string, Member>()
  readonly #tasks = new Set<number>()
  #taskCount = 0
  #byLoad: Heap<Member> | undefined

  /** Tasks for each member. */
  get load(): number {
    return this.#taskCount / this.#members.size
  }

  addMember(id: string): Member {
    const member = new Member(id, this)
    this.#members.set(id, member)
    return member
  }

  has(task: number): boolean {
    return this.#tasks.has(task)
  }

  /** Which members have least is found anew when that is asked for the next time. */
  give(member: Member, task: number, kind: 'active' | 'standby'): Member {
    this.#byLoad = undefined
    return this.#add(member, task, kind)
  }

  /** Answers whom it was given. */
  giveLeastLoaded(task: number, kind: 'active' | 'standby'): Member {
    this.#byLoad ??= new Heap((member) => member.taskCount, this.#inOrder())
    const member = this.#byLoad.pop()!
    this.#add(member, task, kind)
    this.#byLoad.push(member)
    return member
  }

  #add(member: Member, task: number, kind: 'active' | 'standby'): Member {
    this.#taskCount++
    this.#tasks.add(task)
    member.taskCount++
    member[kind].push(task)
    return member
  }

  #inOrder(): Member[] {
    return inHashOrder(this.#members.keys()).map((id) => this.#members.get(id)!)
  }
}
