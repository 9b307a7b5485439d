package opensearch

// Document is what is stored of a record.
var Document = document
