import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { TextField, useForm } from '../parts/form.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { say } from '../parts/toasts.tsx'
import { useMay } from '../shell/session.ts'

/** How do we bill? */
export function Settings() {
  const settings = useQuery({ queryKey: ['billing-settings'], queryFn: () => answered(api.GET('/v1/billing-settings', {})) })
  return (
    <>
      <PageHead title="Settings" sub="Who sells, how documents are numbered, and how long they wait.">
        <CopyCurl path="/v1/billing-settings" />
      </PageHead>
      <Loaded of={settings} height={400}>
        {(data) => <SettingsForm key={JSON.stringify(data)} settings={data} />}
      </Loaded>
    </>
  )
}

const HOUR_MS = 3_600_000

function SettingsForm({ settings }: { settings: Shape<'BillingSettings'> }) {
  const client = useQueryClient()
  const mayBill = useMay('billing')
  const [form, setForm] = useState({
    ...{
      sellerName: settings.seller?.name ?? '',
      sellerAddress: settings.seller?.address ?? '',
      sellerTaxId: settings.seller?.taxId ?? '',
      footer: settings.seller?.footer ?? '',
    },
    ...{
      invoicePrefix: settings.invoicePrefix,
      creditNotePrefix: settings.creditNotePrefix,
      graceHours: String(settings.graceMs / HOUR_MS),
      dueDays: String(settings.dueDays),
    },
    ...{ lateWindowDays: String(settings.lateWindowDays), taxRates: settings.taxRates.join(', ') },
  })
  const [flags, setFlags] = useState({ autoFinalise: settings.autoFinalise, issueZero: settings.issueZero })
  const set = (name: keyof typeof form) => (value: string) => setForm({ ...form, [name]: value })
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const optional = (name: string, value: string) => (value === '' ? {} : { [name]: value })
    const seller =
      form.sellerName === ''
        ? null
        : {
            name: form.sellerName,
            ...optional('address', form.sellerAddress),
            ...optional('taxId', form.sellerTaxId),
            ...optional('footer', form.footer),
          }
    const body = {
      ...settings,
      ...flags,
      seller,
      ...{
        invoicePrefix: form.invoicePrefix,
        creditNotePrefix: form.creditNotePrefix,
        graceMs: Math.round(Number(form.graceHours) * HOUR_MS),
      },
      ...{ dueDays: Number(form.dueDays), lateWindowDays: Number(form.lateWindowDays) },
      taxRates: form.taxRates.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()])),
    }
    await answered(api.PUT('/v1/billing-settings', { body: body as Shape<'BillingSettingsInput'> }))
    await client.invalidateQueries({ queryKey: ['billing-settings'] })
    say('The settings were saved.')
  })
  return (
    <form className="cols" onSubmit={(event) => void submit(event)}>
      <div className="cols c-2">
        <Card title="Seller" hint="as it stands on documents">
          <div className="form">
            <TextField
              label="Name"
              value={form.sellerName}
              onChange={set('sellerName')}
              error={errors['seller.name']}
              hint={form.sellerName === '' ? 'Documents name nobody until this is set.' : undefined}
            />
            <TextField label="Address" value={form.sellerAddress} onChange={set('sellerAddress')} error={errors['seller.address']} />
            <TextField label="Tax number" value={form.sellerTaxId} onChange={set('sellerTaxId')} error={errors['seller.taxId']} />
            <TextField label="Footer" value={form.footer} onChange={set('footer')} error={errors['seller.footer']} />
          </div>
        </Card>
        <Card title="Documents">
          <div className="form">
            <div className="form-row">
              <TextField label="Invoice prefix" value={form.invoicePrefix} onChange={set('invoicePrefix')} error={errors.invoicePrefix} />
              <TextField
                label="Credit note prefix"
                value={form.creditNotePrefix}
                onChange={set('creditNotePrefix')}
                error={errors.creditNotePrefix}
              />
            </div>
            <div className="form-row">
              <TextField
                label="Grace, hours"
                value={form.graceHours}
                onChange={set('graceHours')}
                error={errors.graceMs}
                hint="From the end of a period to its document."
              />
              <TextField label="Due after, days" value={form.dueDays} onChange={set('dueDays')} error={errors.dueDays} />
              <TextField
                label="Late usage, days"
                value={form.lateWindowDays}
                onChange={set('lateWindowDays')}
                error={errors.lateWindowDays}
              />
            </div>
            <TextField
              label="Tax rates of everybody"
              value={form.taxRates}
              onChange={set('taxRates')}
              error={errors.taxRates}
              hint="Keys, with commas between."
            />
            <label className="check">
              <input
                type="checkbox"
                checked={flags.autoFinalise}
                onChange={(event) => setFlags({ ...flags, autoFinalise: event.target.checked })}
              />{' '}
              Make documents final without asking
            </label>
            <label className="check">
              <input
                type="checkbox"
                checked={flags.issueZero}
                onChange={(event) => setFlags({ ...flags, issueZero: event.target.checked })}
              />{' '}
              Number documents of nothing too
            </label>
          </div>
        </Card>
      </div>
      {wrong}
      <div className="row">
        <button
          type="submit"
          className="button button-primary"
          disabled={isBusy || !mayBill}
          title={mayBill ? undefined : 'Needs scope billing'}
        >
          Save
        </button>
      </div>
    </form>
  )
}
