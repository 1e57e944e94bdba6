/** Imports one of the newest clients. The packages are installed on demand, so their types are not there. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export const load = (name: string): Promise<any> => import(name);
