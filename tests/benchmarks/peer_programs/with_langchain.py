"""LangChain's `index()` into a vector store and a record manager in memory; the embedding is constant."""

from __future__ import annotations

from asked import answer, places
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore

SEEDS, _ = places()


class Constant(Embeddings):
    """Every text is the same number."""

    def embed_documents(self, texts):
        """Return a vector for each."""
        return [[1.0] for _ in texts]

    def embed_query(self, text):
        """Return the vector."""
        return [1.0]


records = InMemoryRecordManager("pages")
records.create_schema()
store = InMemoryVectorStore(Constant())


def sync() -> None:
    """Index all files again; what is unchanged is skipped by its hash."""
    documents = (
        Document(page_content=path.read_text(encoding="utf-8"), metadata={"source": str(path)})
        for path in SEEDS.rglob("*.md")
    )
    index(documents, records, store, cleanup="full", source_id_key="source", key_encoder="sha256")


answer(sync)
