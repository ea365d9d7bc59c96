import * as library from "@apollo/client";
import { createApollo } from "../snippets/apollo.js";
import { startApollo } from "./apollo.js";
import { cacheCases } from "./cases.js";

await cacheCases(startApollo(library, createApollo));
