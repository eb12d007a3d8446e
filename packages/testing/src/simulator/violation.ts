/** A promise that did not hold. Checkers are named `always-…` and `eventually-…`. */
export class Violation extends Error {
  override name = "Violation";
  readonly check: string;

  constructor(check: string, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}
