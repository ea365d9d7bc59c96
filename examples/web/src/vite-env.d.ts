/// <reference types="vite/client" />

interface ImportMetaEnv {
  readonly VITE_PARLOR_URL?: string;
  readonly VITE_TOKEN_URL?: string;
}
