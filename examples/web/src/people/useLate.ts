import { useEffect, useState } from "react";

/** A value once it has stayed the same for so long. */
export function useLate<Value>(value: Value, ms: number): Value {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => {
      setLate(value);
    }, ms);
    return () => {
      clearTimeout(timer);
    };
  }, [value, ms]);
  return late;
}
