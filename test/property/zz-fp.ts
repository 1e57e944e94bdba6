export async function flushPromises() {
  for (let i = 0; i < 12; i++) await Promise.resolve();
}
