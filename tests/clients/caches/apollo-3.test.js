import * as library from "@apollo/client-3/core/index.js";
import { createApollo } from "../snippets/apollo-3.js";
import { startApollo } from "./apollo.js";
import { cacheCases } from "./cases.js";

await cacheCases(startApollo(library, createApollo));
