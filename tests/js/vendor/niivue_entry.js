// What the 3-D panel uses of NiiVue; the rest falls away when it is bundled.
export { Niivue, NVImage } from "@niivue/niivue";
