"""Amazon Bedrock's wire format: Converse and ConverseStream. Pure."""
