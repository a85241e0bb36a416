"""LlamaIndex upserts documents into a document store, persisted where anything changed; no embedding."""

from __future__ import annotations

from asked import answer, places
from llama_index.core import Document
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode, TransformComponent
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

SEEDS, STATE = places()


class Constant(TransformComponent):
    """Makes one node of a document, with a vector of one number."""

    def __call__(self, nodes, **_):
        """Return the nodes."""
        return [
            TextNode(
                text=node.text,
                embedding=[1.0],
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=node.node_id)},
            )
            for node in nodes
        ]


documents, vectors = SimpleDocumentStore(), SimpleVectorStore()
pipeline = IngestionPipeline(
    transformations=[Constant()],
    docstore=documents,
    docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    vector_store=vectors,
    disable_cache=True,
)


def sync() -> None:
    """Run the pipeline over all files, and persist what it made."""
    made = pipeline.run(
        documents=[
            Document(text=path.read_text(encoding="utf-8"), id_=str(path))
            for path in SEEDS.rglob("*.md")
        ]
    )
    if made:
        documents.persist(str(STATE / "documents.json"))
        vectors.persist(str(STATE / "vectors.json"))


answer(sync)
