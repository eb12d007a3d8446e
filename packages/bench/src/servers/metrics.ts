/** What a server itself counts, in Prometheus' text format, as it was at one moment. */
export class MetricsPage {
  readonly #lines: readonly string[];

  private constructor(text: string) {
    this.#lines = text.split("\n");
  }

  static async read(url: string): Promise<MetricsPage> {
    const reply = await fetch(url);
    return new MetricsPage(await reply.text());
  }

  /** The sum of a metric over its labels that match. */
  sum(name: string, labels: RegExp = /./): number {
    let sum = 0;
    for (const line of this.#lines) {
      const isIt = line.startsWith(`${name}{`) || line.startsWith(`${name} `);
      if (isIt && labels.test(line)) sum += Number(line.slice(line.lastIndexOf(" ")));
    }
    return sum;
  }
}
