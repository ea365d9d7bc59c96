/// <reference types="vite/client" />

interface ImportMetaEnv {
  readonly VITE_PARLOR_URL?: string;
}
