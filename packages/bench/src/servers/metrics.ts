/** The sum of a metric over its labels that match, from a server's own count in Prometheus' text format. */
export async function readMetric(url: string, name: string, labels: RegExp = /./): Promise<number> {
  const reply = await fetch(url);
  let sum = 0;
  for (const line of (await reply.text()).split("\n")) {
    if (line.startsWith(`${name}{`) && labels.test(line)) sum += Number(line.slice(line.lastIndexOf(" ")));
  }
  return sum;
}
