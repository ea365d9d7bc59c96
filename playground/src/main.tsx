import "graphiql/style.css";
import "./page.css";
import "./workers";

import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { fetcher } from "./fetcher";
import { HEADERS, QUERY } from "./welcome";

const place = document.getElementById("playground");
if (!place) throw new Error("the page has no place for the playground");

createRoot(place).render(
  <GraphiQL fetcher={fetcher} defaultQuery={QUERY} defaultHeaders={HEADERS} defaultEditorToolsVisibility="headers">
    <GraphiQL.Logo>Parlor</GraphiQL.Logo>
  </GraphiQL>,
);
