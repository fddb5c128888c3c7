"""What every face shares: limits of asking on behalf of others, advice, the JSON of a fix. A face never imports a face."""
