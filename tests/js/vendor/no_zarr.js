// Stands in the bundle for the reader of Zarr stores: it fetches from addresses of its own and carries two decoders in
// WebAssembly, which our content security policy refuses. Nothing that LabelHub shows is a Zarr store.
const refuse = () => {
  throw new Error("Zarr stores are not read here.");
};

export const [get, open, root, slice] = [refuse, refuse, refuse, refuse];
export class FetchStore {
  constructor() {
    refuse();
  }
}
