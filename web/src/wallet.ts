// The wallet: connecting the one that the browser has (EIP-1193), and minting posts, with each step as it happens.

import { attempt, byId, el, onPress } from "./dom";
import type { Hub } from "./hub";
import type { Post } from "./posts";
import type { Page, Rest } from "./rest";

/** What a wallet puts into the page. */
interface Provider {
  request(call: { method: string; params?: unknown[] }): Promise<unknown>;
}

declare global {
  interface Window {
    ethereum?: Provider;
  }
}

type State = "queued" | "submitted" | "mined" | "confirmed" | "failed" | "orphaned";

const ORDER: State[] = ["queued", "submitted", "mined", "confirmed", "failed", "orphaned"];

interface Wallet {
  address: string;
  chainId: number;
}

interface Chain {
  chainId: number;
  name: string;
}

/** A step of a transaction, from an answer or an event. */
interface Step {
  state: State;
  tokenId?: string | null;
  error?: { message: string } | null;
}

export class WalletLine {
  private wallet: Wallet | null = null;
  private readonly state = byId("wallet-state", HTMLElement);
  private readonly connects = byId("wallet-connect", HTMLButtonElement);
  private readonly list = byId("wallet-transactions", HTMLUListElement);
  private readonly transactions = new Map<string, Transaction>();

  constructor(
    private readonly rest: Rest,
    hub: Hub,
  ) {
    this.list.replaceChildren();
    onPress(this.connects, () => this.connect());
    hub.on<Step & { transactionId: string }>("chain:transaction", (step) => this.transaction(step.transactionId).take(step));
    hub.onReady(() => void attempt(() => this.start()));
  }

  /** Mint a post: it becomes a token of my wallet. Idempotent: the hub mints a post once. */
  async mint(post: Post): Promise<void> {
    if (!this.wallet) throw new Error("Connect a wallet first: the token needs an owner.");
    const queued = await this.rest.post<Step & { transactionId: string }>("/blockchain/nft/mint", { postId: post.id });
    const transaction = this.transaction(queued.transactionId);
    transaction.name = post.title;
    transaction.take(queued);
    this.list.prepend(transaction.item);
  }

  private async start(): Promise<void> {
    const [wallet] = (await this.rest.get<Page<Wallet>>("/blockchain/wallets?limit=1")).data;
    this.wallet = wallet ?? null;
    this.show();
    // What happened while the connection was away is not repeated.
    await Promise.all([...this.transactions].map(async ([id, transaction]) => transaction.isOver || this.look(id)));
  }

  private async look(transactionId: string): Promise<void> {
    this.transaction(transactionId).take(await this.rest.get<Step>(`/blockchain/transactions/${transactionId}`));
  }

  private async connect(): Promise<void> {
    const provider = window.ethereum;
    if (!provider) throw new Error("This browser has no wallet. Extensions such as MetaMask bring one.");
    const [chain] = (await this.rest.get<{ data: Chain[] }>("/blockchain/chains")).data;
    if (!chain) throw new Error("This hub has no chain.");
    const [address] = (await provider.request({ method: "eth_requestAccounts" })) as string[];
    if (!address) throw new Error("The wallet gave no account.");
    const proof = { address, chainId: chain.chainId };
    const { message } = await this.rest.post<{ message: string }>("/blockchain/wallet/nonce", proof);
    const signature = await provider.request({ method: "personal_sign", params: [asHex(message), address] });
    this.wallet = await this.rest.post<Wallet>("/blockchain/wallet/connect", { address, message, signature });
    this.show();
  }

  private show(): void {
    this.state.textContent = this.wallet
      ? `${short(this.wallet.address)} on chain ${this.wallet.chainId}`
      : "No wallet connected.";
    this.connects.hidden = this.wallet !== null;
  }

  private transaction(id: string): Transaction {
    const transaction = this.transactions.get(id) ?? new Transaction();
    this.transactions.set(id, transaction);
    return transaction;
  }
}

/** A transaction in the list. */
class Transaction {
  readonly item = el("li");
  name = "";
  private step: Step = { state: "queued" };

  get isOver(): boolean {
    return ORDER.indexOf(this.step.state) >= ORDER.indexOf("confirmed");
  }

  /** Go on to a step. After a node died the last ones come again, and the answer to a request can be overtaken. */
  take(step: Step): void {
    if (ORDER.indexOf(step.state) >= ORDER.indexOf(this.step.state)) {
      this.step = { ...step, tokenId: step.tokenId ?? this.step.tokenId ?? null };
    }
    const { state, tokenId, error } = this.step;
    const details = [tokenId ? `token ${tokenId}` : "", error?.message ?? ""].filter(Boolean);
    this.item.textContent = [`${this.name}: ${state}`, ...details].join(", ");
    this.item.dataset.state = state;
  }
}

function asHex(text: string): string {
  return "0x" + Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function short(address: string): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}
