geometry: object
