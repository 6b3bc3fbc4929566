/**
 * Attributes that senders use for data that belongs elsewhere; names without case, blanks, `_` and `-`. CloudEvents' extensions
 * are not among them.
 */
const MEANT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    time: 'timestamp ts datetime date eventtime eventtimestamp occurredat createdat happenedat',
    data: 'properties props payload value quantity amount count units usage fields body',
    type: 'event eventname eventtype name metername eventkind',
    customer: 'customerid customerkey externalcustomerid userid distinctid accountid user account subjectid organizationid orgid',
    id: 'eventid messageid transactionid idempotencykey uuid requestid dedupeid',
    source: 'eventsource origin',
  }).flatMap(([field, names]) => [[field, field] as const, ...names.split(' ').map((name) => [name, field] as const)]),
)

/** The field that an attribute of an event was probably meant to be; null when it is probably meant as an attribute. */
export function meantField(attribute: string, namesRead: ReadonlySet<string> | undefined): string | null {
  if (namesRead?.has(attribute)) return `data.${attribute}`
  return MEANT.get(attribute.replaceAll(/[\s_-]/g, '').toLowerCase()) ?? null
}
