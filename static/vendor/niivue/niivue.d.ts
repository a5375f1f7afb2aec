export const Niivue: any;
export const NVImage: any;
