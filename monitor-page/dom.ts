// Small changes of the document. Texts are set as text, never as markup.
import type { Piece } from "./text.ts";

/** Element of the page by its id. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`missing element ${id}`);
  return element as E;
}

/** New element with a class. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  return element;
}

/** New table row and its cells, with roles that survive the layout for narrow screens. */
export function makeRow(classNames: readonly string[]): readonly [row: HTMLTableRowElement, cells: HTMLElement[]] {
  const row = make("tr");
  row.setAttribute("role", "row");
  const cells = classNames.map((className) => {
    const cell = row.appendChild(make("td", className));
    cell.setAttribute("role", "cell");
    return cell;
  });
  return [row, cells];
}

/** Sets a text if it changed. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute if it changed. */
export function setAttribute(element: HTMLElement, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Element with a name, isolated from the direction of the text around it. */
export function nameElement(name: string, className = "name"): HTMLElement {
  const element = make("bdi", className);
  setName(element, name);
  return element;
}

/** Sets the text and the tooltip of a name. */
export function setName(element: HTMLElement, name: string): void {
  setText(element, name);
  setAttribute(element, "title", name);
}

/** Longest name within a text; its tooltip is complete. */
const INLINE_CHARACTERS = 40;

/** Replaces the content by pieces of text. */
export function setPieces(element: HTMLElement, pieces: readonly Piece[]): void {
  element.replaceChildren(...pieces.map((piece) => (typeof piece === "string" ? piece : inlineName(piece.name))));
}

function inlineName(name: string): HTMLElement {
  const element = nameElement(name, "strong");
  if (name.length > INLINE_CHARACTERS) setText(element, `${[...name].slice(0, INLINE_CHARACTERS).join("")}…`);
  return element;
}

/** Badge with a mark and a text. */
export class Badge {
  readonly element: HTMLElement = make("span", "badge");
  readonly #text = make("span");

  constructor() {
    const mark = make("span", "mark");
    mark.setAttribute("aria-hidden", "true");
    this.element.append(mark, this.#text);
  }

  show([text, tone]: readonly [text: string, tone: string]): void {
    setText(this.#text, text);
    setAttribute(this.element, "class", `badge ${tone}`);
  }
}
