type MoreRowsProps = {
  readonly of: { readonly hasNextPage: boolean; readonly isFetchingNextPage: boolean; fetchNextPage(): Promise<unknown> }
}

/** Asks for the next page of a list that goes on. */
export function MoreRows({ of: list }: MoreRowsProps) {
  if (!list.hasNextPage) return null
  return (
    <div className="card-foot">
      <button type="button" className="button button-s" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        {list.isFetchingNextPage ? 'Reading…' : 'Show more'}
      </button>
    </div>
  )
}
