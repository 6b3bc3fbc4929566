import { useLayoutEffect, useRef, useState } from 'react'

/** The width that an element has, so that a chart is drawn for it and its text keeps its size. */
export function useWidth(first: number) {
  const box = useRef<HTMLElement>(null)
  const [width, setWidth] = useState(first)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const measure = () => setWidth(Math.max(240, Math.floor(element.clientWidth)))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [box, width] as const
}
