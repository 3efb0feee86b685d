/** A policy (`*.rego`) or data file (`data.json`, `data.yaml`, `data.yml`). */
export interface RegoSource {
  /** Relative to the root, with forward slashes. A data file's folder is where its content sits under `data`. */
  readonly path: string;
  readonly content: string;
}
