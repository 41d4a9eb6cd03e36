/** The value of `authorizedOperations` for "not asked for". */
const OPERATIONS_UNKNOWN = -(2 ** 31)

/** What the descriptions of all kinds of groups have in common where nothing is told but the error. */
export function undescribed(groupId: string, errorCode: number, errorMessage: string | null) {
  return {
    groupId,
    errorCode,
    errorMessage,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    members: [],
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}
