import { HomeView, KnownBlock, ModalView } from "@slack/types";

export interface Surfaces {
    message: { text: string; blocks: KnownBlock[] };
    view: HomeView | ModalView;
}
