import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DATA = fileURLToPath(new URL('../../../shared/data/', import.meta.url))

/** The real trace lies beside the checkout, not in it. */
export const realTrace = {
  isPresent: existsSync(DATA),
  clean: `${DATA}llm_azure_2023.csv.gz`,
  hostile: `${DATA}hostile/llm_azure_2023.csv.gz`,
  usage: () => JSON.parse(readFileSync(`${DATA}llm_azure_2023.usage.json`, 'utf8')) as TraceUsage,
  invoices: () => JSON.parse(readFileSync(`${DATA}llm_azure_2023.invoices.json`, 'utf8')) as TraceInvoices,
}

export type TraceTotals = {
  readonly avg_event_total_tokens: string
  readonly events: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  readonly min_event_total_tokens: number
  readonly max_event_total_tokens: number
  readonly unique_customers: number
  readonly unique_models: number
}

/** Group key to totals; keys are built with spaces: `2023-11-16T18 azure-code`. */
export type TraceUsage = Readonly<Record<string, Readonly<Record<string, TraceTotals>>>>

type Amount = { readonly exact: string; readonly half_up_2dp: string }
type TraceInvoice = {
  readonly lines: readonly {
    readonly amount: Amount
    readonly quantity: number
    readonly kind?: 'input' | 'output'
    readonly model?: string
    readonly tier?: number
  }[]
  readonly sum_of_rounded_lines_half_up: string
  readonly total: Amount
  readonly quantity?: number
}
type PlanInvoices = { readonly per_customer_month: Readonly<Record<string, Readonly<Record<string, TraceInvoice>>>> }
export type TraceInvoices = {
  readonly invoices: { readonly P1_tokens_per_model: PlanInvoices; readonly P2_graduated_total_tokens: PlanInvoices }
}
