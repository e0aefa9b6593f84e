"""The compliance report of one school: one record, printed as HTML, PDF, XLSX or JSON."""
