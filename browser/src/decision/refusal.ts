// What is thrown when an input must be refused: the message says what, `where` says where.
export class Refusal extends Error {
  readonly where: string;

  constructor(message: string, where: string) {
    super(`${message} @ ${where}`);
    this.name = "Refusal";
    this.where = where;
  }
}
