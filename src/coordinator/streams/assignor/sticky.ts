import { inHashOrder } from '../../hash-order.ts'
import { Heap } from '../heap.ts'
import { type Member, Process } from './process-load.ts'
import { TaskNumbers } from './task-numbers.ts'
import type { AssignableStreamsGroup, TaskAssignment, TaskAssignor } from './types.ts'

/**
 * Tasks stay with the member that has them, or go where their state is, as far as shares allow; the rest goes to the
 * process with least to do. The choices are those of Apache Kafka, of the same tasks for the same members.
 */
export const stickyTaskAssignor: TaskAssignor = {
  name: 'sticky',
  assign(group) {
    if (group.members.size === 0) return new Map()
    return new Assignment(group).made()
  },
}

/** How many tasks a member may keep: what is left, shared among the members that have not reached their share. */
class Quota {
  share: number
  #tasks: number
  #members: number

  constructor(tasks: number, members: number) {
    this.#tasks = tasks
    this.#members = members
    this.share = Math.ceil(tasks / members)
  }

  /** A member has `taskCount` tasks now. */
  reached(taskCount: number): void {
    if (taskCount !== this.share) return
    this.#members--
    this.#tasks -= taskCount
    this.share = this.#members === 0 ? 0 : Math.ceil(this.#tasks / this.#members)
  }
}

class Assignment {
  readonly #group: AssignableStreamsGroup
  readonly #numbers: TaskNumbers
  readonly #members: readonly Member[]
  readonly #processes: readonly Process[]
  readonly #statefulTasks: readonly number[]
  readonly #previousActive: (Member | undefined)[]
  readonly #previousStandbys: (Member[] | undefined)[]
  readonly #activeQuota: Quota
  readonly #totalQuota: Quota

  constructor(group: AssignableStreamsGroup) {
    this.#group = group
    this.#numbers = new TaskNumbers(group.subtopologies)
    this.#statefulTasks = statefulTasksOf(group)
    const { total } = this.#numbers
    this.#previousActive = new Array(total).fill(undefined)
    this.#previousStandbys = new Array(total).fill(undefined)
    const memberCount = group.members.size
    this.#activeQuota = new Quota(total, memberCount)
    this.#totalQuota = new Quota(total + this.#statefulTasks.length * group.standbyReplicas, memberCount)
    const processes = new Map<string, Process>()
    this.#members = inHashOrder(group.members.keys()).map((id) => this.#addMember(id, processes))
    const inOrder = inHashOrder(processes.keys(), { capacity: powerOfTwoFrom(memberCount) })
    this.#processes = inOrder.map((id) => processes.get(id)!)
  }

  #addMember(id: string, processes: Map<string, Process>): Member {
    const { processId, target } = this.#group.members.get(id)!
    let host = processes.get(processId)
    if (host === undefined) {
      host = new Process()
      processes.set(processId, host)
    }
    const member = host.addMember(id)
    for (const task of this.#numbers.of(target.active)) this.#previousActive[task] = member
    for (const task of this.#numbers.of(target.standby)) {
      const others = this.#previousStandbys[task]
      if (others === undefined) this.#previousStandbys[task] = [member]
      else others.push(member)
    }
    return member
  }

  made(): Map<string, TaskAssignment> {
    this.#assignActive()
    if (this.#group.standbyReplicas > 0) this.#assignStandby()
    const assignments = new Map<string, TaskAssignment>()
    for (const id of this.#group.members.keys()) assignments.set(id, NO_TASKS)
    for (const { id, active, standby } of this.#members) {
      assignments.set(id, {
        active: this.#numbers.tasks(active),
        standby: this.#numbers.tasks(standby),
        warmup: NO_TASKS.warmup,
      })
    }
    return assignments
  }

  #assignActive(): void {
    const all = Array.from({ length: this.#numbers.total }, (_, task) => task)
    const moved = this.#numbers.byPartition(all).filter((task) => !this.#keepActive(this.#previousActive[task], task))
    const free = moved.filter((task) => !this.#keepActive(leastLoaded(this.#previousStandbys[task]), task))
    const byLoad = new Heap((host: Process) => host.load, this.#processes)
    for (const task of free.sort((a, b) => a - b)) {
      const host = byLoad.pop()!
      this.#countActive(host.giveLeastLoaded(task, 'active'))
      byLoad.push(host)
    }
  }

  /** Whether it could. */
  #keepActive(member: Member | undefined, task: number): boolean {
    if (member === undefined || member.taskCount >= this.#activeQuota.share) return false
    this.#countActive(member.process.give(member, task, 'active'))
    return true
  }

  #countActive({ taskCount }: Member): void {
    this.#activeQuota.reached(taskCount)
    this.#totalQuota.reached(taskCount)
  }

  #assignStandby(): void {
    const { standbyReplicas } = this.#group
    const open = new Map<number, number>()
    for (const task of this.#numbers.byPartition(this.#statefulTasks).reverse()) {
      let kept = 0
      while (kept < standbyReplicas && this.#keepStandby(task)) kept++
      if (kept < standbyReplicas) open.set(task, standbyReplicas - kept)
    }
    const byLoad = new Heap((host: Process) => host.load, this.#processes)
    for (const task of [...open.keys()].sort((a, b) => b - a)) {
      const replicas = open.get(task)!
      for (let i = 0; i < replicas && this.#giveStandby(byLoad, task); i++);
    }
  }

  /** Whether a member that had the task could keep it. */
  #keepStandby(task: number): boolean {
    const active = this.#previousActive[task]
    if (active !== undefined && !active.process.has(task) && this.#addStandby(active, task)) return true
    const standbys = this.#previousStandbys[task]
    const standby = leastLoaded(standbys, task)
    // As in Apache Kafka, it is the first member's process that decides.
    if (standby === undefined || standbys![0]!.process.has(task)) return false
    return this.#addStandby(standby, task)
  }

  #addStandby(member: Member, task: number): boolean {
    if (member.taskCount >= this.#totalQuota.share) return false
    this.#totalQuota.reached(member.process.give(member, task, 'standby').taskCount)
    return true
  }

  /** Whether there was a process without the task; at most as many as have the task are passed over. */
  #giveStandby(byLoad: Heap<Process>, task: number): boolean {
    const passed: Process[] = []
    let host = byLoad.pop()
    while (host?.has(task)) {
      passed.push(host)
      host = byLoad.pop()
    }
    if (host !== undefined) {
      this.#totalQuota.reached(host.giveLeastLoaded(task, 'standby').taskCount)
      byLoad.push(host)
    }
    for (const each of passed.reverse()) byLoad.push(each)
    return host !== undefined
  }
}

const NO_TASKS: TaskAssignment = { active: new Map(), standby: new Map(), warmup: new Map() }

function statefulTasksOf({ subtopologies }: AssignableStreamsGroup): number[] {
  const tasks: number[] = []
  let first = 0
  for (const { taskCount, isStateful } of subtopologies.values()) {
    if (isStateful) for (let i = 0; i < taskCount; i++) tasks.push(first + i)
    first += taskCount
  }
  return tasks
}

/** The member with least to do, itself and in its process; those whose process has `task` only if they are the first. */
function leastLoaded(members: readonly Member[] | undefined, task?: number): Member | undefined {
  let best = members?.[0]
  if (members === undefined || best === undefined) return undefined
  for (const member of members) {
    if (member.process.load >= best.process.load || member.taskCount >= best.taskCount) continue
    if (task === undefined || !member.process.has(task)) best = member
  }
  return best
}

/** 1 for 0. */
function powerOfTwoFrom(count: number): number {
  return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1))
}
