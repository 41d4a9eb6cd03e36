import type { EndPoint } from '../metadata/types.ts'

/** Where a broker, or a controller, is reached by a listener; undefined where it has none of this name, or is not known. */
export function endPointOf(
  node: { readonly endPoints: readonly EndPoint[] } | undefined,
  listenerName: string,
): EndPoint | undefined {
  return node?.endPoints.find(({ name }) => name === listenerName)
}
