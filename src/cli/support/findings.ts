import { placeOf, type Finding, type FindingCode, type ReportFinding } from '../../audit/finding.ts'
import { table } from '../../app/output.ts'

/** A finding as it is printed; `position` is `shard:position`. */
export type ListedFinding = Omit<Finding, 'shard' | 'position'> & { position: string }

/** The first findings, and the number of findings of each code. */
export interface Listed {
  readonly total: number
  readonly items: readonly ListedFinding[]
  byCode: () => Record<string, number>
}

/** Counts findings and keeps only the first `limit`, since there can be as many findings as rows. */
export function listFindings (limit: number): Listed & { found: ReportFinding, foundMore: (code: FindingCode, count: bigint) => void } {
  const items: ListedFinding[] = []
  const counts = new Map<string, number>()
  let total = 0
  const add = (code: FindingCode, count: number): void => {
    total += count
    counts.set(code, (counts.get(code) ?? 0) + count)
  }
  return {
    get total () { return total },
    items,
    byCode: () => Object.fromEntries(counts),
    found (finding) {
      add(finding.code, 1)
      if (items.length >= limit) return
      const { code, event_id, subject, detail } = finding
      items.push({ code, position: placeOf(finding), event_id, subject, detail })
    },
    foundMore: (code, count) => { add(code, Number(count)) }
  }
}

/** The findings as lines for a terminal. */
export function describeFindings (findings: Listed): string[] {
  const { items, total } = findings
  const more = total - items.length
  return [
    table(['code', 'position', 'event_id', 'subject', 'difference'],
      items.map(({ code, position, event_id, subject, detail }) => [code, position, printable(event_id), printable(subject), printable(detail)])),
    ...(more > 0 ? [`and ${more} more; --limit shows more of them.`] : []),
    `${total} ${total === 1 ? 'difference' : 'differences'}: ${Object.entries(findings.byCode()).map(([code, count]) => `${count} ${code}`).join(', ')}.`
  ]
}

// Tampered texts can contain anything, including control characters that move a terminal's cursor.
function printable (text: string | null): string {
  return (text ?? '').replace(/\p{C}/gu, '\ufffd')
}
