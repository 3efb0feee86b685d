/** Makes what begins the work for a key, and gives whoever wants the same while it goes on what comes of it. */
export function createInFlight<Value>(): (key: string, work: () => Promise<Value>) => Promise<Value> {
  const underWay = new Map<string, Promise<Value>>();
  return (key, work) => {
    let going = underWay.get(key);
    if (going === undefined) {
      going = work().finally(() => underWay.delete(key));
      underWay.set(key, going);
    }
    return going;
  };
}
