/** Bit sets of AclOperation codes: what anybody may do where there is no authorizer. */

/** Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite. */
export const CLUSTER_OPERATIONS = operations(5, 7, 8, 9, 10, 11, 12)
/** Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs. */
export const TOPIC_OPERATIONS = operations(3, 4, 5, 6, 7, 8, 10, 11)
/** Read, Delete, Describe, DescribeConfigs, AlterConfigs. */
export const GROUP_OPERATIONS = operations(3, 6, 8, 10, 11)
/** The value that stands for "was not asked for". */
export const NOT_ASKED = -2147483648

function operations(...codes: readonly number[]): number {
  return codes.reduce((bits, code) => bits | (1 << code), 0)
}
